"""Rights on what is learned."""

from apps.core.permissions import ADMINS, MANAGERS, declare

READ_SCORE_MODEL = declare(
    "score_model:read", "See what scores are learned from and how good they are", roles=MANAGERS
)
TRAIN_SCORE_MODEL = declare(
    "score_model:train", "Have scores learned anew, publish and retire them", roles=ADMINS
)
SUGGEST = declare("suggestion:make", "Say what would help deals most", roles=ADMINS)
