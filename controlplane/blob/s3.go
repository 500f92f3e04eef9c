package blob

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// partSize is what an upload of unknown size holds in memory.
const partSize = 8 << 20

// S3Options say where the objects live.
type S3Options struct {
	Endpoint  string // host:port
	Bucket    string // made when it does not exist
	Region    string
	AccessKey string
	SecretKey string // both empty: credentials of the environment
	Insecure  bool   // plain HTTP
}

// S3 keeps blobs in a bucket of any store that speaks S3.
type S3 struct {
	client *minio.Client
	bucket string
}

// NewS3 connects and makes sure that the bucket is there.
func NewS3(ctx context.Context, o S3Options) (*S3, error) {
	keys := credentials.NewStaticV4(o.AccessKey, o.SecretKey, "")
	if o.AccessKey == "" && o.SecretKey == "" {
		keys = credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{}})
	}
	client, err := minio.New(o.Endpoint, &minio.Options{Creds: keys, Secure: !o.Insecure, Region: o.Region})
	if err != nil {
		return nil, fmt.Errorf("object storage at %s: %w", o.Endpoint, err)
	}
	exists, err := client.BucketExists(ctx, o.Bucket)
	if err == nil && !exists {
		err = client.MakeBucket(ctx, o.Bucket, minio.MakeBucketOptions{Region: o.Region})
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s at %s: %w", o.Bucket, o.Endpoint, err)
	}
	return &S3{client: client, bucket: o.Bucket}, nil
}

// Close is there so that an S3 can stand where a Dir does; it has nothing to release.
func (s *S3) Close() error { return nil }

// Put stores the bytes of r under key, replacing what is there; size is -1 when unknown. The store checks what arrives against a
// digest made on the way (Content-MD5, which every such store knows; trailing checksums are not understood alike).
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64, contentType string) error {
	if err := admit(ctx, key); err != nil {
		return err
	}
	_, err := s.client.PutObject(ctx, s.bucket, key, r, size, minio.PutObjectOptions{
		ContentType: contentType, PartSize: partSize, SendContentMd5: true,
	})
	return explain(err, "store "+key)
}

// Open returns the bytes under key, or fault.NotFound. They are fetched as they are read.
func (s *S3) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if err := admit(ctx, key); err != nil {
		return nil, err
	}
	object, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	if _, err := object.Stat(); err != nil {
		_ = object.Close() // nothing was fetched
		if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
			return nil, absent(key)
		}
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	return object, nil
}

// Delete removes what is under key; nothing there is no error.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := admit(ctx, key); err != nil {
		return err
	}
	if err := s.client.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// DeleteAll removes everything below a folder, such as org/ID; nothing there is no error.
func (s *S3) DeleteAll(ctx context.Context, folder string) error {
	if err := check(folder); err != nil {
		return err
	}
	for object := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: folder + "/", Recursive: true}) {
		if object.Err != nil {
			return fmt.Errorf("list %s: %w", folder, object.Err)
		}
		if err := s.Delete(ctx, object.Key); err != nil {
			return err
		}
	}
	return nil
}

// All are the keys of all blobs. Whatever else is in the bucket is none.
func (s *S3) All(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // the listing goes on until then
		for object := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: "org/", Recursive: true}) {
			switch {
			case object.Err != nil:
				yield("", fmt.Errorf("list the blobs: %w", object.Err))
				return
			case strings.HasSuffix(object.Key, "/"): // what some tools make in place of a folder
			case !yield(object.Key, nil):
				return
			}
		}
	}
}
