package document

// Source is what lands in the workspace before the first step. Several kinds may be used at once: of two files with the same path the
// one of the later kind stays, in the order git, http, oci, configMap, files. All but files are fetched by a step named source,
// which has a status and a log as any other.
type Source struct {
	// Files written here, in the document.
	Files []File `json:"files,omitempty" rule:"max=1000" merge:"by=path"`
	// A git repository.
	Git *Git `json:"git,omitempty" merge:"whole"`
	// The keys of a ConfigMap of the run namespace, as files. They are copies, which may be changed; pod.volumes mounts them as they are.
	ConfigMap *ConfigMapSource `json:"configMap,omitempty" merge:"whole"`
	// An OCI artifact of a registry. Layers that are tar archives are unpacked; others are files under their title.
	OCI *OCI `json:"oci,omitempty" merge:"whole"`
	// A tar archive, fetched over HTTP and unpacked when its sum is right.
	HTTP *HTTP `json:"http,omitempty" merge:"whole"`
}

// Fetched reports whether a step has to fetch something.
func (s Source) Fetched() bool {
	return s.Git != nil || s.HTTP != nil || s.OCI != nil || s.ConfigMap != nil
}

// File is written to the workspace. Its content is taken as it is: expressions are not resolved in it.
type File struct {
	// Path below the workspace.
	Path string `json:"path" rule:"required,rule=file"`
	// What is in it; "" for an empty file.
	Content string `json:"content" rule:"required"`
	// Permission bits in octal, such as 0755.
	Mode FileMode `json:"mode,omitempty" rule:"default=0644"`
}

// Git is a repository to fetch.
type Git struct {
	// Address of the repository, over HTTPS or SSH, without a password.
	URL string `json:"url" rule:"required,expr=here,rule=gitURL"`
	// Branch, tag or commit; the default branch when absent.
	Ref string `json:"ref,omitempty" rule:"expr=here,rule=gitRef"`
	// Only these paths are checked out.
	Paths []string `json:"paths,omitempty" rule:"expr=here,rule=inWorkspace,max=100"`
	// How many commits are fetched.
	Depth int64 `json:"depth,omitempty" rule:"min=1,max=1000000,default=1"`
	// Secret with the keys username and password, token, or ssh-privatekey.
	SecretRef *NameRef `json:"secretRef,omitempty"`
}

// ConfigMapSource is a ConfigMap whose keys become files.
type ConfigMapSource struct {
	// Name of the ConfigMap.
	Name string `json:"name" rule:"required,rule=object"`
	// Folder below the workspace.
	Path string `json:"path,omitempty" rule:"rule=inWorkspace,default=."`
}

// OCI is an artifact of a registry.
type OCI struct {
	// Reference of the artifact with its registry, best with its digest.
	Artifact string `json:"artifact" rule:"required,expr=here,rule=artifact"`
	// The registry has no TLS.
	PlainHTTP bool `json:"plainHTTP,omitempty" rule:"default=false"`
	// Secret of type kubernetes.io/dockerconfigjson.
	SecretRef *NameRef `json:"secretRef,omitempty"`
	// Folder below the workspace.
	Path string `json:"path,omitempty" rule:"rule=inWorkspace,default=."`
}

// HTTP is a tar archive, compressed with gzip or zstd or not at all.
type HTTP struct {
	// Address of the archive.
	URL string `json:"url" rule:"required,expr=here,rule=httpURL"`
	// What its bytes must sum up to, in hex.
	SHA256 string `json:"sha256" rule:"required,expr=here,rule=sha256"`
	// Secret with the key token, or the keys username and password.
	SecretRef *NameRef `json:"secretRef,omitempty"`
	// How many leading folders of the names in the archive are left out.
	Strip int64 `json:"strip,omitempty" rule:"min=0,max=20,default=0"`
	// Folder below the workspace.
	Path string `json:"path,omitempty" rule:"rule=inWorkspace,default=."`
}

// NameRef names an object of the namespace.
type NameRef struct {
	// Name of the object.
	Name string `json:"name" rule:"required,rule=object"`
}
