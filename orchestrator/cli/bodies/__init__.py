"""What the commands do, each in a module that is loaded when its command is called."""
