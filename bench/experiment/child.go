// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/bench/lidar"
	"github.com/vlibos/vlibos/bench/native"
	"github.com/vlibos/vlibos/bench/tail"
	host "github.com/vlibos/vlibos/dom0/host/native"
)

// Child is one of an experiment's processes; args say which.
func Child(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	args = append(slices.Clone(args), "", "", "")
	role, arg := args[0], args[1]
	switch role {
	case "caller":
		return caller(ctx, arg, out)
	case "callee":
		return native.Peer(ctx, arg, in, out)
	case "keeper":
		return native.Keeper(ctx, arg, self, in, out)
	case corunner.Guard:
		return host.Guard(os.Stdin, arg)
	case corunner.Watcher:
		return corunner.Lateness(in)
	case corunner.Idle:
		_, err := io.Copy(io.Discard, in)
		return err
	case "lidar":
		return lidar.Task()
	case "job":
		return corunner.Run(ctx, arg, in)
	case "load":
		return tail.Load(arg, args[2], in, out)
	}
	return fmt.Errorf("unknown process %q: this command is for the experiments themselves", role)
}
