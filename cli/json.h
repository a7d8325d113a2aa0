/* JSON documents, by json-c. Without it cli_json_available() is false, --json is refused before any
 * command runs, and nothing else here is called.
 *
 * Memory: a child belongs to its parent once it is put there; cli_json_print() frees the root. What
 * cannot be allocated is NULL, which every function takes; such a part is left out. */
#ifndef ISKRA_CLI_JSON_H
#define ISKRA_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

bool cli_json_available(void);

struct json_object *cli_json_object(void);
struct json_object *cli_json_array(void);
struct json_object *cli_json_string(const char *text);
void cli_json_text(struct json_object *object, const char *key, const char *text);
void cli_json_number(struct json_object *object, const char *key, uint64_t number);
void cli_json_real(struct json_object *object, const char *key, double number);
void cli_json_bool(struct json_object *object, const char *key, bool value);
void cli_json_put(struct json_object *object, const char *key, struct json_object *child);
void cli_json_append(struct json_object *array, struct json_object *child);

/* To stdout with a newline. */
void cli_json_print(struct json_object *root);
void cli_json_free(struct json_object *root);

/* On one line, valid until the root changes or goes; NULL if there is no memory. */
const char *cli_json_line(struct json_object *root, size_t *ret_len);

/* Reading what others wrote: a whole document of at most 16 levels, or NULL. What is asked for and
 * is not there, or is of another kind, is NULL, "", 0 or false. Children live as long as the root.
 */
struct json_object *cli_json_parse(const char *text, size_t len);
struct json_object *cli_json_get(struct json_object *object, const char *key);
const char *cli_json_get_text(struct json_object *object, const char *key);
uint64_t cli_json_get_number(struct json_object *object, const char *key);
double cli_json_get_real(struct json_object *object, const char *key);
bool cli_json_get_bool(struct json_object *object, const char *key);
bool cli_json_is_array(struct json_object *value);
size_t cli_json_array_len(struct json_object *array);
struct json_object *cli_json_array_at(struct json_object *array, size_t index);

#endif
