"""The vendor's door: what is said to the API, what it says, and how it is carried.

``protocol`` has the values and interfaces, ``dialects`` the two versions, ``client`` the transport (the only
module here that imports an HTTP library), ``limits`` the limit headers.
"""
