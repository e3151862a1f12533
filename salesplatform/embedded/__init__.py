"""The real servers behind `make run` and `make test`, started from wheels before Django exists.

Nothing in here imports Django: the package prepares the environment in which Django starts.
"""
