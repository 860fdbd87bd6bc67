"""The entrance of assistants: tools over the Model Context Protocol, on standard input and output.

What an assistant may do is said by whoever starts the server: it reads, and creates only with
``--allow-creations``, within ceilings that neither side can leave out.
"""
