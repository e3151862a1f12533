"""What is refused about territories."""

from apps.core.errors import Conflict, RuleBroken


class TerritoryTreeLoops(RuleBroken):
    """A territory would contain itself."""

    reason = "territory_tree_loops"
    message = "A territory can't lie inside itself."


class TerritoryNameTaken(Conflict):
    """Two territories under the same parent would bear the same name."""

    reason = "territory_name_taken"
    message = "There already is a territory with this name at this place of the tree."


class NobodyToAssign(RuleBroken):
    """The territory has neither members nor an owner who could take the work."""

    reason = "nobody_to_assign"
    message = "The territory has nobody who could take this."


class TerritoryInactive(RuleBroken):
    """Nothing is assigned to a territory that is switched off."""

    reason = "territory_inactive"
    message = "The territory is not active."
