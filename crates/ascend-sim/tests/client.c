/* A program as one would write it against the vendor's libraries: no header of theirs, nothing of Rust.
 *
 * Linked:  cc client.c -I. -L8.5 -lacl_rt -lnnopbase -lopapi_math -lopapi_nn ...
 * Loaded:  cc -DLOADED client.c -ldl, with the paths of the libraries as arguments.
 *
 * Prints one line for each step, and returns 0 if all of them went as they should.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACL_FLOAT = 0, ACL_BF16 = 27, ACL_FORMAT_ND = 2 };
enum { HOST_TO_DEVICE = 1, DEVICE_TO_HOST = 2 };
enum { HUGE_FIRST = 0 };
enum { KEEP_DTYPE = 0 };
enum { EVENT_TIME_LINE = 8 };
enum { EVENT_RECORDED_COMPLETE = 1 };

typedef struct aclTensor aclTensor;
typedef struct aclOpExecutor aclOpExecutor;
typedef void *aclrtStream;
typedef void *aclrtEvent;

/* Name, result, parameters: what libraries of both releases have. */
#define FUNCTIONS(F) \
    F(aclInit, int, (const char *)) \
    F(aclFinalize, int, (void)) \
    F(aclGetRecentErrMsg, const char *, (void)) \
    F(aclrtGetSocName, const char *, (void)) \
    F(aclrtGetVersion, int, (int32_t *, int32_t *, int32_t *)) \
    F(aclrtSetDevice, int, (int32_t)) \
    F(aclrtResetDevice, int, (int32_t)) \
    F(aclrtCreateStream, int, (aclrtStream *)) \
    F(aclrtDestroyStream, int, (aclrtStream)) \
    F(aclrtSynchronizeStream, int, (aclrtStream)) \
    F(aclrtCreateEventWithFlag, int, (aclrtEvent *, uint32_t)) \
    F(aclrtDestroyEvent, int, (aclrtEvent)) \
    F(aclrtRecordEvent, int, (aclrtEvent, aclrtStream)) \
    F(aclrtSynchronizeEvent, int, (aclrtEvent)) \
    F(aclrtQueryEventStatus, int, (aclrtEvent, int *)) \
    F(aclrtEventElapsedTime, int, (float *, aclrtEvent, aclrtEvent)) \
    F(aclrtMalloc, int, (void **, size_t, int)) \
    F(aclrtFree, int, (void *)) \
    F(aclrtMemcpy, int, (void *, size_t, const void *, size_t, int)) \
    F(aclCreateTensor, aclTensor *, \
      (const int64_t *, uint64_t, int, const int64_t *, int64_t, int, const int64_t *, uint64_t, void *)) \
    F(aclDestroyTensor, int, (const aclTensor *)) \
    F(aclnnMatmulGetWorkspaceSize, int, \
      (const aclTensor *, const aclTensor *, aclTensor *, int8_t, uint64_t *, aclOpExecutor **)) \
    F(aclnnMatmul, int, (void *, uint64_t, aclOpExecutor *, aclrtStream))

#ifdef LOADED
#include <dlfcn.h>
#define DECLARE(name, result, parameters) static result (*name) parameters;
FUNCTIONS(DECLARE)

static void *find(void **libraries, int count, const char *name) {
    for (int i = 0; i < count; i++) {
        void *symbol = dlsym(libraries[i], name);
        if (symbol != NULL)
            return symbol;
    }
    fprintf(stderr, "no %s\n", name);
    exit(3);
}

static void load(int count, char **paths) {
    void *libraries[16];
    for (int i = 0; i < count && i < 16; i++) {
        libraries[i] = dlopen(paths[i], RTLD_LAZY | RTLD_GLOBAL);
        if (libraries[i] == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            exit(3);
        }
    }
#define FIND(name, result, parameters) *(void **)&name = find(libraries, count, #name);
    FUNCTIONS(FIND)
}
#else
#define DECLARE(name, result, parameters) extern result name parameters;
FUNCTIONS(DECLARE)

static void load(int count, char **paths) {
    (void)count;
    (void)paths;
}
#endif

static const char *recent(void) {
    const char *text = aclGetRecentErrMsg();
    return text == NULL ? "" : text;
}

#define OK(call) \
    do { \
        int status = (call); \
        if (status != 0) { \
            fprintf(stderr, "line %d: %s gives %d: %s\n", __LINE__, #call, status, recent()); \
            exit(1); \
        } \
    } while (0)

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: not %s\n", __LINE__, #condition); \
            exit(2); \
        } \
    } while (0)

/* The upper half of a float, rounded to nearest even; none here is a NaN. */
static uint16_t to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float from_bf16(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static aclTensor *matrix(int64_t rows, int64_t columns, int turned, void *memory) {
    int64_t shape[] = {rows, columns};
    int64_t strides[] = {columns, 1};
    int64_t storage[] = {rows, columns};
    if (turned) { /* the same memory, seen from the other side */
        strides[0] = 1;
        strides[1] = rows;
        storage[0] = columns;
        storage[1] = rows;
    }
    aclTensor *tensor = aclCreateTensor(shape, 2, ACL_BF16, strides, 0, ACL_FORMAT_ND, storage, 2, memory);
    CHECK(tensor != NULL);
    return tensor;
}

enum { M = 3, K = 20, N = 7 };

int main(int argc, char **argv) {
    load(argc - 1, argv + 1);
    OK(aclInit(NULL));
    CHECK(aclInit(NULL) == 100002); /* again: harmless */
    int32_t major, minor, patch;
    OK(aclrtGetVersion(&major, &minor, &patch));
    OK(aclrtSetDevice(0));
    printf("device 0 is %s\n", aclrtGetSocName());
    aclrtStream stream;
    OK(aclrtCreateStream(&stream));

    uint16_t x[M * K], w[N * K], y[M * N];
    for (int i = 0; i < M * K; i++)
        x[i] = to_bf16((float)(i % 11 - 5) / 4);
    for (int i = 0; i < N * K; i++)
        w[i] = to_bf16((float)(i % 7 - 3) / 8);
    void *device_x, *device_w, *device_y;
    OK(aclrtMalloc(&device_x, sizeof x, HUGE_FIRST));
    OK(aclrtMalloc(&device_w, sizeof w, HUGE_FIRST));
    OK(aclrtMalloc(&device_y, sizeof y, HUGE_FIRST));
    OK(aclrtMemcpy(device_x, sizeof x, x, sizeof x, HOST_TO_DEVICE));
    OK(aclrtMemcpy(device_w, sizeof w, w, sizeof w, HOST_TO_DEVICE));

    /* The weight lies as rows of N; the product wants K by N. */
    aclTensor *tensor_x = matrix(M, K, 0, device_x);
    aclTensor *tensor_w = matrix(K, N, 1, device_w);
    aclTensor *tensor_y = matrix(M, N, 0, device_y);

    aclrtEvent before, after;
    OK(aclrtCreateEventWithFlag(&before, EVENT_TIME_LINE));
    OK(aclrtCreateEventWithFlag(&after, EVENT_TIME_LINE));
    OK(aclrtRecordEvent(before, stream));
    uint64_t size = 0;
    aclOpExecutor *executor = NULL;
    OK(aclnnMatmulGetWorkspaceSize(tensor_x, tensor_w, tensor_y, KEEP_DTYPE, &size, &executor));
    void *workspace = NULL;
    if (size > 0)
        OK(aclrtMalloc(&workspace, size, HUGE_FIRST));
    OK(aclnnMatmul(workspace, size, executor, stream));
    OK(aclrtRecordEvent(after, stream));
    OK(aclrtSynchronizeStream(stream));

    OK(aclrtSynchronizeEvent(after));
    int recorded = -1;
    OK(aclrtQueryEventStatus(after, &recorded));
    CHECK(recorded == EVENT_RECORDED_COMPLETE);
    float milliseconds = -1;
    OK(aclrtEventElapsedTime(&milliseconds, before, after));
    CHECK(milliseconds >= 0);

    OK(aclrtMemcpy(y, sizeof y, device_y, sizeof y, DEVICE_TO_HOST));
    for (int m = 0; m < M; m++) {
        for (int n = 0; n < N; n++) {
            float sum = 0;
            for (int k = 0; k < K; k++)
                sum += from_bf16(x[m * K + k]) * from_bf16(w[n * K + k]);
            CHECK(fabsf(from_bf16(y[m * N + n]) - sum) <= fabsf(sum) / 128);
        }
    }
    printf("%d by %d by %d: as computed here\n", M, K, N);

    /* An executor is used once; a tensor that does not fit is refused with a reason; a message is given once. */
    CHECK(aclnnMatmul(workspace, size, executor, stream) == 561000);
    CHECK(strlen(recent()) > 0);
    aclTensor *wrong = matrix(M + 1, N, 0, device_y);
    CHECK(aclnnMatmulGetWorkspaceSize(tensor_x, tensor_w, wrong, KEEP_DTYPE, &size, &executor) == 161002);
    const char *reason = aclGetRecentErrMsg();
    CHECK(reason != NULL);
    printf("refused: %s\n", reason);
    CHECK(aclGetRecentErrMsg() == NULL);
    CHECK(aclnnMatmulGetWorkspaceSize(NULL, tensor_w, tensor_y, KEEP_DTYPE, &size, &executor) == 161001);
    CHECK(aclrtSetDevice(99) == 107001);
    CHECK(aclrtMalloc(&workspace, 0, HUGE_FIRST) != 0);

    OK(aclDestroyTensor(wrong));
    OK(aclDestroyTensor(tensor_x));
    OK(aclDestroyTensor(tensor_w));
    OK(aclDestroyTensor(tensor_y));
    OK(aclrtDestroyEvent(before));
    OK(aclrtDestroyEvent(after));
    OK(aclrtFree(device_x));
    OK(aclrtFree(device_w));
    OK(aclrtFree(device_y));
    OK(aclrtDestroyStream(stream));
    OK(aclrtResetDevice(0));
    OK(aclFinalize());
    CHECK(aclFinalize() == 100037);
    printf("done\n");
    return 0;
}
