// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"runtime"
	"sync"

	"github.com/ebitengine/purego"

	"github.com/vlibos/vlibos/signature"
)

// A Library is a shared library that is loaded into this process, for good.
// It is safe for concurrent use; whether its functions are is their matter.
type Library struct {
	name   string
	handle uintptr

	mu      sync.Mutex
	symbols map[string]uintptr
	plans   map[planKey]*plan
}

// maxCached bounds the symbols and plans that a library remembers. Their names
// come from callers, who could otherwise fill the memory with them.
const maxCached = 1024

// Open loads a library by soname, as the dynamic linker finds it, or by
// absolute path. Opening it again gives another Library of the same code and
// data. The library's constructors run, on this thread.
//
// The error is an [*Error] of the kind [ErrNoLibrary], with the dynamic
// linker's reason.
func Open(library string) (*Library, error) {
	if err := signature.CheckLibrary(library); err != nil {
		return nil, failure(ErrNoLibrary, "%v", err)
	}
	handle, err := dlopen(library)
	if err != nil {
		return nil, failure(ErrNoLibrary, "%v", err)
	}
	return &Library{
		name: library, handle: handle,
		symbols: make(map[string]uintptr), plans: make(map[planKey]*plan),
	}, nil
}

// dlopen stays on one thread because dlerror, from which purego takes the
// reason, is kept by thread.
func dlopen(library string) (uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func dlsym(handle uintptr, name string) (uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlsym(handle, name)
}

// symbol returns the address of name; l.mu is held.
func (l *Library) symbol(name string) (uintptr, error) {
	if address, ok := l.symbols[name]; ok {
		return address, nil
	}
	if err := signature.CheckSymbol(name); err != nil {
		return 0, failure(ErrNoFunction, "%v", err)
	}
	address, err := dlsym(l.handle, name)
	if err != nil {
		return 0, failure(ErrNoFunction, "%v", err)
	}
	if len(l.symbols) >= maxCached {
		clear(l.symbols)
	}
	l.symbols[name] = address
	return address, nil
}

// errnoLocation is the address of glibc's function that tells where the
// calling thread has its errno.
var errnoLocation = sync.OnceValues(func() (uintptr, error) {
	const libc, function = "libc.so.6", "__errno_location"
	handle, err := dlopen(libc)
	if err != nil {
		return 0, failure(ErrNoLibrary, "%v", err)
	}
	address, err := dlsym(handle, function)
	if err != nil {
		return 0, failure(ErrNoFunction, "%v", err)
	}
	return address, nil
})
