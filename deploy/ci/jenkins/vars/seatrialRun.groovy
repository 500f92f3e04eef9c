// A step of a shared library: seatrialRun(workflow: 'checkout', server: 'https://…', credentials: 'seatrial', release: 'shop@1.42.0')
// Credentials are a secret text with an API token of the team (seatrial token create NAME --scope run).
def call(Map o) {
  withCredentials([string(credentialsId: o.credentials, variable: 'SEATRIAL_TOKEN')]) {
    withEnv(["SEATRIAL_SERVER=${o.server}", "WORKFLOW=${o.workflow}", "RELEASE=${o.release ?: ''}", "LIMIT=${o.timeout ?: '30m'}"]) {
      int code = sh(returnStatus: true, script: '''
        rm -f seatrial.xml seatrial.md
        seatrial run "$WORKFLOW" ${RELEASE:+--release "$RELEASE"} --commit "${GIT_COMMIT:-}" --idempotency-key "jenkins-$BUILD_TAG-$WORKFLOW-$RELEASE" \
          --wait --timeout "$LIMIT" --report junit=seatrial.xml --report markdown=seatrial.md
      ''')
      junit testResults: 'seatrial.xml', allowEmptyResults: true
      archiveArtifacts artifacts: 'seatrial.md', allowEmptyArchive: true
      if (code != 0) {
        error("seatrial run ${o.workflow} ended with ${code}")
      }
    }
  }
}
