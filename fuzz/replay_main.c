/* A fuzzer's entry point without a fuzzing engine: runs every file of a corpus, and from each some
 * variants with fixed seeds, which are the same in every run. Speaks TAP. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_LEN_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void run_variants(const uint8_t *input, size_t len, uint32_t seed, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++) {
        uint8_t variant[INPUT_LEN_MAX];
        memcpy(variant, input, len);
        for (unsigned n = 1 + next(&seed) % 4; n > 0 && len > 0; n--)
            variant[next(&seed) % len] = (uint8_t)next(&seed);
        LLVMFuzzerTestOneInput(variant, len);
    }
}

int main(int argc, char **argv)
{
    unsigned variant_cnt = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    DIR *dir = argc == 2 || argc == 3 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS_DIRECTORY [VARIANTS_OF_EACH]\n", argv[0]);
        return 2;
    }
    unsigned cnt = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!file)
            continue;
        uint8_t input[INPUT_LEN_MAX];
        size_t len = fread(input, 1, sizeof(input), file);
        (void)fclose(file);
        LLVMFuzzerTestOneInput(input, len);
        run_variants(input, len, ++cnt, variant_cnt);
    }
    (void)closedir(dir);
    printf("1..1\n%s 1 - the_corpus_and_its_variants_run_clean # %u files\n",
           cnt > 0 ? "ok" : "not ok", cnt);
    return cnt > 0 ? 0 : 1;
}
