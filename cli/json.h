/* JSON documents, by json-c. Without it cli_json_available() is false, --json is refused before any
 * command runs, and nothing else here is called.
 *
 * Memory: a child belongs to its parent once it is put there; cli_json_print() frees the root. What
 * cannot be allocated is NULL, which every function takes; such a part is left out. */
#ifndef ISKRA_CLI_JSON_H
#define ISKRA_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

bool cli_json_available(void);

struct json_object *cli_json_object(void);
struct json_object *cli_json_array(void);
void cli_json_text(struct json_object *object, const char *key, const char *text);
void cli_json_number(struct json_object *object, const char *key, uint64_t number);
void cli_json_real(struct json_object *object, const char *key, double number);
void cli_json_bool(struct json_object *object, const char *key, bool value);
void cli_json_put(struct json_object *object, const char *key, struct json_object *child);
void cli_json_append(struct json_object *array, struct json_object *child);

/* To stdout with a newline. */
void cli_json_print(struct json_object *root);
void cli_json_free(struct json_object *root);

#endif
