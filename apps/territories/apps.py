from django.apps import AppConfig


class TerritoriesConfig(AppConfig):
    name = "apps.territories"
    verbose_name = "Territories"

    def ready(self) -> None:
        from apps.core.actors import resolve_reach_with
        from apps.territories.selectors import reach_of

        resolve_reach_with(reach_of)
