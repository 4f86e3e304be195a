
const char *{{name}}_label(size_t index)
{
    return (index < {{NAME}}_LABELS) ? {{NAME}}_TEXT(&{{name}}_labels[index]) : NULL;
}
