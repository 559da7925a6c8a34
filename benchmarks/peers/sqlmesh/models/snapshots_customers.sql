MODEL (
  name snapshots.customers,
  kind SCD_TYPE_2_BY_COLUMN (unique_key customer_id, columns *, invalidate_hard_deletes true, execution_time_as_valid_from true)
);
SELECT customer_id, customer_name, has_loan_flag FROM staging.customers
