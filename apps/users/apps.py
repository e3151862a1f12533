from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "apps.users"
    verbose_name = "People"

    def ready(self) -> None:
        from apps.core.actors import find_actors_with
        from apps.users.selectors import actor_for

        find_actors_with(actor_for)
