// SPDX-License-Identifier: Apache-2.0

package cachedir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lock takes the lock that is the named file; it makes the file and its folder if they do
// not exist. The lock of a process that ends is released. The owner of the lock may remove
// the file: other processes wait for the file that has the name. Lock waits until ctx
// ends.
func Lock(ctx context.Context, name string) (unlock func(), err error) {
	for {
		f, err := lockFile(ctx, name)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, errRemoved):
			return nil, err
		}
	}
}

// errRemoved says that the opened file does not have the name any more.
var errRemoved = errors.New("the lock's file has been removed")

func lockFile(ctx context.Context, name string) (_ *os.File, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := flock(ctx, int(f.Fd())); err != nil {
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	have, err := f.Stat()
	if err != nil {
		return nil, err
	}
	named, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(have, named) {
		return nil, errRemoved
	}
	return f, err
}

// flock takes an exclusive lock on an open file. A context cannot end flock(2), so it asks
// again for a lock that another process has.
func flock(ctx context.Context, fd int) error {
	for {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
