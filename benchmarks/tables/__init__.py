"""Tables and figures of the documentation, each made from a file of results."""
