// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

typedef pthread_mutex_t QemuMutex;

#define qemu_mutex_init(m) pthread_mutex_init(m, NULL)
#define qemu_mutex_lock(m) pthread_mutex_lock(m)
#define qemu_mutex_unlock(m) pthread_mutex_unlock(m)
