"""The doors: each turns a request or a frame into one call, and the answer into JSON or a page."""
