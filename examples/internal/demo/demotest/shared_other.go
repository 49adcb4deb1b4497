//go:build !linux

package demotest

import "testing"

// RunShared runs two processes on one store of each kind, on Linux.
func RunShared(t *testing.T, kinds ...string) {
	t.Skip("the servers are started on Linux only: nothing was tried on a shared store")
}
