"""Pages on the way in: for people who sign in, and for applications that ask them."""
