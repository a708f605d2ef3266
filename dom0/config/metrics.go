// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
)

type metricsTOML struct {
	Listen word `toml:"listen"`
}

// check wants an IP address and a port. A name would have to be looked up when the
// master starts, and the network may not be there yet.
func (m metricsTOML) check() error {
	if m.Listen == "" {
		return nil
	}
	a, err := netip.ParseAddrPort(string(m.Listen))
	if err != nil || a.Port() == 0 {
		return fmt.Errorf("listen %q: want an IP address and a port, for example \"127.0.0.1:9477\" or \"[::1]:9477\"", m.Listen)
	}
	return nil
}
