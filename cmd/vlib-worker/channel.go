// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

var errServerLeft = errors.New("the server closed the channel")

// oneChannel is a listener that is finished when its only channel ends.
type oneChannel struct {
	transport.Listener
	own transport.ServerEndpoint // the channel, hidden from child processes
}

// Wait returns errServerLeft instead of a channel that its client has left.
func (l *oneChannel) Wait(deadline time.Time) (transport.ServerEndpoint, error) {
	ep, err := l.Listener.Wait(deadline)
	if err == nil && ep.Gone() != nil {
		return nil, errServerLeft
	}
	if err == nil && ep != l.own {
		// A child that a library forks can read the arguments, but has no page
		// through which to answer calls.
		if err = unix.Madvise(ep.Header(), unix.MADV_DONTFORK); err != nil {
			return nil, fmt.Errorf("hide the channel from child processes: %w", err)
		}
		l.own = ep
	}
	return ep, err
}
