// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"runtime"
	"sync"

	"github.com/ebitengine/purego"

	"github.com/vlibos/vlibos/vlibcall/signature"
)

// A Library is a shared library loaded into this process, permanently. It is
// safe for concurrent use; its functions may not be.
type Library struct {
	name   string
	handle uintptr

	mu      sync.Mutex
	symbols map[string]uintptr
	plans   map[planKey]*plan
}

// maxCached limits the symbols and plans that a library remembers. Callers
// choose their names, and could fill the memory with them.
const maxCached = 1024

// Open loads a library by soname, as the dynamic linker finds it, or by
// absolute path. Opening it again returns another Library with the same code
// and data. The library's constructors run on this thread.
//
// The error is an [*Error] of the kind [ErrNoLibrary], with the dynamic
// linker's reason.
func Open(library string) (*Library, error) {
	if err := signature.CheckLibrary(library); err != nil {
		return nil, failure(ErrNoLibrary, "%v", err)
	}
	handle, err := load(library)
	if err != nil {
		return nil, err
	}
	return &Library{
		name: library, handle: handle,
		symbols: make(map[string]uintptr), plans: make(map[planKey]*plan),
	}, nil
}

// linker is the part of the C library that loads libraries.
type linker struct{ dlopen, dlerror, errnoLocation uintptr }

var theLinker = sync.OnceValues(func() (l linker, err error) {
	for name, to := range map[string]*uintptr{"dlopen": &l.dlopen, "dlerror": &l.dlerror, "__errno_location": &l.errnoLocation} {
		if *to, err = dlsym(purego.RTLD_DEFAULT, name); err != nil {
			return l, failure(ErrNoLibrary, "the C library: %v", err)
		}
	}
	return l, nil
})

// maxReason limits the dynamic linker's message, in bytes.
const maxReason = 4096

// load makes the dynamic linker load a library, through a frame: a child that a
// constructor forks ends like one that a function forks. It stays on one thread
// because dlerror is per thread.
func load(library string) (uintptr, error) {
	l, err := theLinker()
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f := frames.Get().(*frame)
	defer f.release()
	f.errnoLocation, f.fn = l.errnoLocation, l.dlopen
	f.words[0], f.words[1] = f.keep(0, append([]byte(library), 0)), purego.RTLD_NOW|purego.RTLD_LOCAL
	if f.call(); f.result != 0 {
		return uintptr(f.result), nil
	}
	f.fn = l.dlerror
	f.call()
	return 0, failure(ErrNoLibrary, "%s", result(signature.Str, f, maxReason).Bytes)
}

func dlsym(handle uintptr, name string) (uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlsym(handle, name)
}

// symbol returns the address of name. The caller holds l.mu.
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
