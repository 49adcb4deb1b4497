package sendertest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/senders"
	"github.com/sallyport-go/sallyport/senders/sendertest"
)

// server stands for a provider in one of the three situations that matter.
type server struct {
	refuses, silent bool
	mu              sync.Mutex
	got             []challenge.Message
}

func (s *server) messages() []challenge.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// mySender is the sender under test; a real one would open a connection to s.
func mySender(s *server) challenge.Sender {
	return senders.Func(func(ctx context.Context, m challenge.Message) error {
		if err := m.CheckMail(); err != nil {
			return err
		}
		if s.silent {
			<-ctx.Done()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.refuses {
			return errors.New("refused with 401") // and not what the other side said
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, m)
		return nil
	})
}

func TestMySender(t *testing.T) {
	acceptingServer, refusingServer, silentServer := &server{}, &server{refuses: true}, &server{silent: true}
	sendertest.Run(t, sendertest.Harness{
		Sender:    mySender(acceptingServer), // delivers
		Refused:   mySender(refusingServer),  // fails, best with an answer that repeats what it was sent
		Stuck:     mySender(silentServer),    // waits for ever
		Delivered: acceptingServer.messages,
		Secrets:   []string{"the provider's token"},
	})
}
