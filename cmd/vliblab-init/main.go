// SPDX-License-Identifier: Apache-2.0

// Command vliblab-init is process 1 in the lab's Dom0 and DomUs. vliblab copies it
// into the images; it does not run elsewhere.
package main

import (
	"os"

	"github.com/vlibos/vlibos/lab/guest"
)

func main() { os.Exit(guest.Main(os.Args)) }
