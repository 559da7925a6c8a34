MODEL (name source.accounts, kind FULL,
  columns (AccountID TEXT, CustomerID TEXT, Balance TEXT, AccountType TEXT, loaded_at TIMESTAMP));
SELECT AccountID, CustomerID, Balance, AccountType, now()::TIMESTAMP AS loaded_at
FROM read_csv('inbox/accounts.csv', all_varchar = true, header = true, delim = ',', quote = '"', escape = '"')
WHERE AccountID IS NOT NULL
