"""The back office as a whole: its site, navigation and search. Its pages belong to the apps."""
