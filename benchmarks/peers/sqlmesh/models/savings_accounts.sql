MODEL (name intermediate.savings_accounts, kind FULL);
SELECT a.account_id, a.customer_id, c.customer_name, c.has_loan_flag, a.balance_amount,
       greatest(a.valid_from, c.valid_from) AS changed_at
FROM snapshots.accounts AS a JOIN snapshots.customers AS c ON c.customer_id = a.customer_id
WHERE a.valid_to IS NULL AND c.valid_to IS NULL AND a.account_type = 'savings' AND a.balance_amount IS NOT NULL
