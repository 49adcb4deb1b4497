package audit

import (
	"io"
	"os"
	"sync"
)

// File is a file that is only ever appended to, for [To]. Rotation is the system's work: after logrotate (or a person) has
// moved the file away, [File.Reopen] begins a new one under the same path, and no line is lost or torn in between. It is safe
// for concurrent use.
type File struct {
	path string
	mu   sync.Mutex
	file *os.File
}

var _ io.WriteCloser = (*File)(nil)

// OpenFile opens path for appending, and makes it when it is not there. Only the user who runs the program may read a file
// that it makes: lines have names and addresses in them.
func OpenFile(path string) (*File, error) {
	file, err := openAppend(path)
	if err != nil {
		return nil, err
	}
	return &File{path: path, file: file}, nil
}

func openAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// Write appends p in one call of the system's.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return 0, os.ErrClosed
	}
	return f.file.Write(p)
}

// Reopen opens the path anew; what is written from then on goes there. When it cannot be opened, the old file stays in use.
// Call it on the signal that follows a rotation:
//
//	hangups := make(chan os.Signal, 1)
//	signal.Notify(hangups, syscall.SIGHUP)
//	go func() {
//		for range hangups {
//			if err := file.Reopen(); err != nil {
//				log.Print(err)
//			}
//		}
//	}()
func (f *File) Reopen() error {
	file, err := openAppend(f.path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		_ = file.Close()
		return os.ErrClosed
	}
	old := f.file
	f.file = file
	return old.Close()
}

// Close closes the file; what is written later is an error.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
