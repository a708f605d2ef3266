// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// flock takes an exclusive lock on an open file. flock(2) itself cannot be
// ended by a context, so a lock that another process holds is asked for again.
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
