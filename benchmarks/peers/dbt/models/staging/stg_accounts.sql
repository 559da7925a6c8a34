SELECT AccountID AS account_id, TRY_CAST(nullif(trim(CustomerID), '') AS BIGINT) AS customer_id,
       TRY_CAST(nullif(trim(Balance), '') AS DECIMAL(12, 2)) AS balance_amount,
       lower(nullif(trim(AccountType), '')) AS account_type
FROM {{ ref('accounts') }}
