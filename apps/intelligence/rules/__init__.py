"""What is learned from and how it is said. `learning`, `guard` and `measures` need NumPy and
XGBoost, which no web process loads: they are only asked for through `services.engine`.
"""
