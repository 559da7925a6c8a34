MODEL (name source.customers, kind FULL, columns (CustomerID TEXT, Name TEXT, HasLoan TEXT, loaded_at TIMESTAMP));
SELECT CustomerID, Name, HasLoan, now()::TIMESTAMP AS loaded_at
FROM read_csv('inbox/customers.csv', all_varchar = true, header = true, delim = ',', quote = '"', escape = '"')
WHERE TRY_CAST(CustomerID AS BIGINT) IS NOT NULL
