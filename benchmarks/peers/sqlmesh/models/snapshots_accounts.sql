MODEL (
  name snapshots.accounts,
  kind SCD_TYPE_2_BY_COLUMN (unique_key account_id, columns *, invalidate_hard_deletes true, execution_time_as_valid_from true)
);
SELECT account_id, customer_id, balance_amount, account_type FROM staging.accounts
