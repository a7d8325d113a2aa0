/* JSON documents; see json.h. */
#include "json.h"

#include "cli.h"
#include "iskra-config.h"

#if HAVE_JSON_C

#include <json-c/json.h>

bool cli_json_available(void)
{
    return true;
}

struct json_object *cli_json_object(void)
{
    return json_object_new_object();
}

struct json_object *cli_json_array(void)
{
    return json_object_new_array();
}

void cli_json_put(struct json_object *object, const char *key, struct json_object *child)
{
    if (!object || !child || json_object_object_add(object, key, child) != 0)
        json_object_put(child);
}

void cli_json_append(struct json_object *array, struct json_object *child)
{
    if (!array || !child || json_object_array_add(array, child) != 0)
        json_object_put(child);
}

void cli_json_text(struct json_object *object, const char *key, const char *text)
{
    cli_json_put(object, key, json_object_new_string(text));
}

void cli_json_number(struct json_object *object, const char *key, uint64_t number)
{
    cli_json_put(object, key, json_object_new_uint64(number));
}

void cli_json_real(struct json_object *object, const char *key, double number)
{
    static char nine_digits[] = "%.9g"; /* what a clock is good for; all 17 would be noise */
    struct json_object *child = json_object_new_double(number);
    if (child)
        json_object_set_serializer(child, json_object_double_to_json_string, nine_digits, NULL);
    cli_json_put(object, key, child);
}

void cli_json_bool(struct json_object *object, const char *key, bool value)
{
    cli_json_put(object, key, json_object_new_boolean(value));
}

void cli_json_print(struct json_object *root)
{
    const char *text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE);
    cli_print("%s\n", text ? text : "null");
    json_object_put(root);
}

void cli_json_free(struct json_object *root)
{
    json_object_put(root);
}

#else

bool cli_json_available(void)
{
    return false;
}

struct json_object *cli_json_object(void)
{
    return NULL;
}

struct json_object *cli_json_array(void)
{
    return NULL;
}

void cli_json_text(struct json_object *object, const char *key, const char *text) {}
void cli_json_number(struct json_object *object, const char *key, uint64_t number) {}
void cli_json_real(struct json_object *object, const char *key, double number) {}
void cli_json_bool(struct json_object *object, const char *key, bool value) {}
void cli_json_put(struct json_object *object, const char *key, struct json_object *child) {}
void cli_json_append(struct json_object *array, struct json_object *child) {}
void cli_json_print(struct json_object *root) {}
void cli_json_free(struct json_object *root) {}

#endif
