// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// conversation is an open channel to a domain.
type conversation struct {
	*vlibcall.Channel
	host   directory.Directory
	domain *directory.Domain
	book   *receipt.Book // nil: nobody counts
}

// converse finds the domain and opens a channel, within the timeout of the
// options if that is not 0. The caller closes it.
func converse(c *cli.Context, ref string, o vlibcall.Options) (_ *conversation, err error) {
	cfg, err := chosen(c)
	if err != nil {
		return nil, err
	}
	ctx := c.Context
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	v := new(conversation)
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	if v.host, err = directory.Open(ctx, cfg); err != nil {
		return nil, err
	}
	if v.domain, err = v.host.Lookup(ctx, ref); err != nil {
		return nil, err
	}
	v.book = record(c, v.domain, &o)
	if v.Channel, err = vlibcall.Open(ctx, v.domain, o); err != nil {
		return nil, v.explain(err)
	}
	return v, nil
}

// explain adds the domain to an error that does not name it.
func (v *conversation) explain(err error) error {
	if named := (*directory.Error)(nil); err == nil || errors.As(err, &named) {
		return err
	}
	return fmt.Errorf("domain %s: %w", v.domain, err)
}

// Close frees what converse opened, in the opposite order.
func (v *conversation) Close() error {
	var errs []error
	if v.Channel != nil {
		errs = append(errs, v.Channel.Close())
	}
	if v.domain != nil {
		errs = append(errs, v.domain.Close())
	}
	if v.book != nil {
		errs = append(errs, v.book.Close())
	}
	if v.host != nil {
		errs = append(errs, v.host.Close())
	}
	return errors.Join(errs...)
}
