// SPDX-License-Identifier: Apache-2.0

package psr

import (
	"errors"
	"fmt"
	"reflect"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/throttle/cache"
	"github.com/vlibos/vlibos/xenctl"
)

// Processor is the part of *xenctl.Handle that describes the processors.
type Processor interface {
	L3Info(socket int) (xenctl.CacheInfo, error)
	L2Info(socket int) (xenctl.CacheInfo, error)
	BandwidthInfo(socket int) (xenctl.BandwidthInfo, error)
}

// mostSockets bounds the search for sockets.
const mostSockets = 256

// Layout returns what each socket can allocate, and the sockets' numbers. Errors
// wrap [host.ErrNotHere] if there is nothing, or sockets differ.
func Layout(h Processor) (cache.Layout, []int, error) {
	var all cache.Layout
	var sockets []int
	for socket := range mostSockets {
		l, err := layoutOf(h, socket)
		if errors.Is(err, unix.ERANGE) {
			break
		}
		switch {
		case err != nil:
			return cache.Layout{}, nil, err
		case !l.Has():
			continue // no processor of this socket runs
		case len(sockets) > 0 && !reflect.DeepEqual(l, all):
			return cache.Layout{}, nil, fmt.Errorf("cache classes: %w: socket %d has %v, socket %d has %v: they must be alike",
				host.ErrNotHere, sockets[0], all, socket, l)
		}
		all, sockets = l, append(sockets, socket)
	}
	if len(sockets) == 0 {
		return cache.Layout{}, nil, fmt.Errorf("cache classes: %w: the processor has no Intel RDT that Xen knows, or Xen was started without psr=cat,cdp,mba",
			host.ErrNotHere)
	}
	return all, sockets, nil
}

func layoutOf(h Processor, socket int) (cache.Layout, error) {
	l := cache.Layout{Spare: true}
	ways := func(ask func(int) (xenctl.CacheInfo, error)) (*cache.Ways, error) {
		info, err := ask(socket)
		switch {
		case errors.Is(err, xenctl.ErrNotSupported):
			return nil, nil
		case err != nil:
			return nil, err
		case info.Bits < 1 || info.Bits > 32: // the size of Xen's masks
			return nil, fmt.Errorf("%w: cache masks of %d bits", xenctl.ErrBroken, info.Bits)
		}
		return &cache.Ways{Bits: info.Bits, Least: 1, Classes: info.Classes, CDP: info.CDP}, nil
	}
	var err error
	if l.L3, err = ways(h.L3Info); err != nil {
		return l, err
	}
	if l.L2, err = ways(h.L2Info); err != nil {
		return l, err
	}
	b, err := h.BandwidthInfo(socket)
	switch {
	case errors.Is(err, xenctl.ErrNotSupported):
		return l, nil
	case err != nil:
		return l, err
	}
	// Throttles that are not linear are no percentages.
	if b.Linear && b.Most > 0 && b.Most < 100 {
		l.Bandwidth = &cache.Bandwidth{Least: 100 - b.Most, Step: 100 - b.Most, Classes: b.Classes}
	}
	return l, nil
}
