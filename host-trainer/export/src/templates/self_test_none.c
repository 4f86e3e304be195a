
{{name}}_status_t {{name}}_self_test({{name}}_scratch_t *scratch)
{
    return (scratch == NULL) ? {{NAME}}_NULL : {{NAME}}_OK;
}
