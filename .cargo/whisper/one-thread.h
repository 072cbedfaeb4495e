// Read before every C++ file of whisper.cpp (one-thread.cmake). Its word times are computed by a backend of their
// own that nobody can hand a thread count: by default three more threads then spin through work only one can do,
// which cost a tenth of a transcript's processor time, and far more on a busy machine.
#if __has_include("ggml.h")
#include "ggml.h"
#undef GGML_DEFAULT_N_THREADS
#define GGML_DEFAULT_N_THREADS 1
#endif
