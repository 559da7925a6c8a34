/*---
description: Expenses, cleaned. One row per expense.
owner: you
---*/
-- A model is one SELECT. The file's folder and name are the relation's: this is stg.expenses.
-- What it reads is found in the SQL; nothing has to be declared.
SELECT
  expense_id,
  spent_on,
  tidy(team) AS team,
  amount
FROM raw.expenses
WHERE amount > 0
  AND spent_on >= CAST($since AS DATE)
