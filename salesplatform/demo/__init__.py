"""Demo data: a small company, made by the same services as everything else.

The story is the platform's main job: a file of leads is imported, scored and routed; the best are
qualified and converted; deals move through the pipeline; the forecast is computed.
"""
