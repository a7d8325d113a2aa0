/* JSON documents; see json.h. */
#include "json.h"

#include <limits.h>
#include <string.h>

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

struct json_object *cli_json_string(const char *text)
{
    return json_object_new_string(text);
}

void cli_json_text(struct json_object *object, const char *key, const char *text)
{
    cli_json_put(object, key, cli_json_string(text));
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

const char *cli_json_line(struct json_object *root, size_t *ret_len)
{
    const char *text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE);
    *ret_len = text ? strlen(text) : 0;
    return text;
}

#define DEPTH_MAX 16

struct json_object *cli_json_parse(const char *text, size_t len)
{
    struct json_tokener *tokener = len < INT_MAX ? json_tokener_new_ex(DEPTH_MAX) : NULL;
    if (!tokener)
        return NULL;
    struct json_object *root = json_tokener_parse_ex(tokener, text, (int)len);
    if (json_tokener_get_error(tokener) != json_tokener_success) {
        json_object_put(root);
        root = NULL;
    }
    json_tokener_free(tokener);
    return root;
}

struct json_object *cli_json_get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, key, &value))
        return NULL;
    return value;
}

const char *cli_json_get_text(struct json_object *object, const char *key)
{
    struct json_object *value = cli_json_get(object, key);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

uint64_t cli_json_get_number(struct json_object *object, const char *key)
{
    struct json_object *value = cli_json_get(object, key);
    return json_object_is_type(value, json_type_int) ? json_object_get_uint64(value) : 0;
}

double cli_json_get_real(struct json_object *object, const char *key)
{
    struct json_object *value = cli_json_get(object, key);
    bool number =
        json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
    return number ? json_object_get_double(value) : 0;
}

bool cli_json_get_bool(struct json_object *object, const char *key)
{
    struct json_object *value = cli_json_get(object, key);
    return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

bool cli_json_is_array(struct json_object *value)
{
    return json_object_is_type(value, json_type_array);
}

size_t cli_json_array_len(struct json_object *array)
{
    return json_object_array_length(array);
}

struct json_object *cli_json_array_at(struct json_object *array, size_t index)
{
    return json_object_array_get_idx(array, index);
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

struct json_object *cli_json_string(const char *text)
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
const char *cli_json_line(struct json_object *root, size_t *ret_len)
{
    return NULL;
}
struct json_object *cli_json_parse(const char *text, size_t len)
{
    return NULL;
}
struct json_object *cli_json_get(struct json_object *object, const char *key)
{
    return NULL;
}
const char *cli_json_get_text(struct json_object *object, const char *key)
{
    return "";
}
uint64_t cli_json_get_number(struct json_object *object, const char *key)
{
    return 0;
}
double cli_json_get_real(struct json_object *object, const char *key)
{
    return 0;
}
bool cli_json_get_bool(struct json_object *object, const char *key)
{
    return false;
}
bool cli_json_is_array(struct json_object *value)
{
    return false;
}
size_t cli_json_array_len(struct json_object *array)
{
    return 0;
}
struct json_object *cli_json_array_at(struct json_object *array, size_t index)
{
    return NULL;
}

#endif
