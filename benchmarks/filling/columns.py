"""The columns that rows are written to, in the order in which `market` and `rows` give them.

A test fills every table a little: a column of the schema that is missing here fails there.
"""

from __future__ import annotations

_COLUMNS = {
    "users_user": """
        id created_at updated_at password is_superuser email name role manager_id time_zone
        is_active all_territories token_version requests_per_minute requests_per_second
    """,
    "territories_territory": """
        id created_at updated_at name type owner_id parent_territory_id priority assignment
        is_active countries states zip_codes industry named_accounts
    """,
    "territories_territorymember": """
        id created_at updated_at territory_id user_id role valid_from
    """,
    "accounts_account": """
        id created_at updated_at deleted_at deleted_by_id name account_key domain industry
        employee_count annual_revenue currency country state city postal_code owner_id
        territory_id external_ids version
    """,
    "core_datakey": """
        id created_at wrapped
    """,
    "leads_lead": """
        id created_at updated_at deleted_at deleted_by_id data_key_id source status first_name
        last_name email email_key phone phone_key company company_key title industry employee_count
        annual_revenue currency country state city postal_code external_source external_id
        campaign_id attribution metadata score score_reasons score_version scored_at
        marketing_score owner_id territory_id routing_reason status_reason
        converted_opportunity_id converted_account_id converted_contact_id converted_at
        last_activity_at version
    """,
    "opportunities_opportunity": """
        id created_at updated_at deleted_at deleted_by_id name account_id lead_id owner_id
        territory_id pipeline_id stage_id stage_key kind stage_entered_at last_open_stage_id
        probability probability_source forecast_category forecast_category_source amount
        currency lines_total expected_close_date actual_close_date won_at lost_at push_count
        loss_reason close_reason next_step deal_score deal_score_reasons deal_score_source
        deal_score_version contract_term start_date payment_terms billing_frequency
        payment_schedule special_requirements priority metadata version archived_at
    """,
    "opportunities_stagespan": """
        id opportunity_id stage_id entered_at left_at
    """,
    "opportunities_opportunitychange": """
        id opportunity_id seq kind at actor_id door correlation_id stage_from_id stage_to_id
        amount_from amount_to currency close_from close_to owner_from_id owner_to_id
        probability_from probability_to category_from category_to notes
    """,
}
COLUMNS = {table: tuple(names.split()) for table, names in _COLUMNS.items()}
