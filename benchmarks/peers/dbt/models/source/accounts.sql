SELECT *, now()::TIMESTAMP AS loaded_at
FROM read_csv('inbox/accounts.csv', all_varchar = true, header = true, delim = ',', quote = '"', escape = '"')
WHERE AccountID IS NOT NULL
