// SPDX-License-Identifier: Apache-2.0

package native

import "github.com/vlibos/vlibos/internal/cgroup"

const (
	// before is what a weight file's cgroup had before this package set anything.
	before cgroup.Attribute = "vlibos.before"
	// stopped says of the file by which a cgroup is stopped that this package has
	// stopped it.
	stopped cgroup.Attribute = "vlibos.stopped"
)
