SELECT *, now()::TIMESTAMP AS loaded_at FROM read_csv('inbox/accounts.csv', all_varchar = true)
WHERE AccountID IS NOT NULL
