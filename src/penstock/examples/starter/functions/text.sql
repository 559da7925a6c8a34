-- Functions of your own, put into the models that use them.
CREATE FUNCTION tidy(value) AS (lower(trim(value)));
