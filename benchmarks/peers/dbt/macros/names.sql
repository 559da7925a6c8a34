{% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name }}{% endmacro %}

{% macro yes_or_no(value) %}
CASE WHEN lower(trim({{ value }})) IN ('yes', 'y', 'true', 't', '1') THEN true
     WHEN lower(trim({{ value }})) IN ('no', 'n', 'false', 'f', '0') THEN false END
{% endmacro %}
